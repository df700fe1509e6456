// A picture that is wider than the page begins with the box that the page is about.
"use strict";

for (const box of document.querySelectorAll(".picture .here")) {
  const region = box.closest(".scroll"), at = box.getBoundingClientRect(), frame = region.getBoundingClientRect();
  region.scrollLeft += at.left + at.width / 2 - frame.left - frame.width / 2;
}

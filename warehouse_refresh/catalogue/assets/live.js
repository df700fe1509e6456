// Asks the API, with the token if the page has a field for it. The token stays in that field: nothing stores it.
// The answer of the API; of a network that fails, an answer of the same shape.
export async function ask(method, path, headers = {}) {
  const token = document.getElementById("token")?.value;
  if (token) headers = { ...headers, Authorization: "Bearer " + token };
  try {
    const answer = await fetch(path, { method, headers });
    const text = await answer.text();
    return { status: answer.status, text, body: JSON.parse(text) };
  } catch {
    return { status: 0, text: "", body: { title: "The API does not answer", detail: "Try again in a moment." } };
  }
}

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

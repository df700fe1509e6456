// Asks the API, with the token if the page has a field for it. The token stays in that field: nothing stores it.
// Where the browser has asked for the token, the mark lets it send the token by itself.
const MARK = { "X-Requested-With": "catalogue" };

// The answer of the API; of a network that fails, an answer of the same shape.
export async function ask(method, path, headers = {}) {
  try {
    const answer = await fetch(path, { method, headers: { ...MARK, ...headers, ...authorization() } });
    const text = await answer.text();
    return { status: answer.status, text, body: JSON.parse(text) };
  } catch {
    return { status: 0, text: "", body: { title: "The API does not answer", detail: "Try again in a moment." } };
  }
}

// Hand each event of the path to `take`, until it answers false or the stream ends. The problem if there is no stream.
export async function events(path, take) {
  try {
    const answer = await fetch(path, { headers: { ...MARK, Accept: "text/event-stream", ...authorization() } });
    if (answer.status !== 200) return await answer.json();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const lines = (rest + part.value).split(/\r?\n/);
      rest = lines.pop();
      for (const line of lines) {
        if (line.startsWith("data: ") && !take(JSON.parse(line.slice(6)))) return void reader.cancel();
      }
    }
  } catch {
    return { title: "The API does not answer", detail: "It is asked again." };
  }
}

function authorization() {
  const token = document.getElementById("token")?.value;
  return token ? { Authorization: "Bearer " + token } : {};
}

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

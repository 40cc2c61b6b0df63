// A page that waits for figures asks for itself again, and puts the answer in its own place: the figures are read once, and nothing jumps under who
// reads what is there until there are some. Without this script the page is loaded anew.

export function again(shown: () => void): void {
  const waiting = document.querySelector<HTMLElement>("[data-again]");
  if (waiting) setTimeout(() => void look(waiting, shown), 1000 * Number(waiting.dataset.again));
}

async function look(waiting: HTMLElement, shown: () => void): Promise<void> {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null); // the server may be starting
  if (answer?.redirected) return location.reload(); // to the login
  const page = answer && new DOMParser().parseFromString(await answer.text(), "text/html");
  const still = page?.querySelector("[data-again]");
  if (!page?.querySelector("main") || still) {
    if (still && still.textContent !== waiting.textContent) waiting.replaceChildren(...still.childNodes);
    return again(shown);
  }
  document.title = page.title;
  document.body.replaceWith(document.adoptNode(page.body));
  shown();
}

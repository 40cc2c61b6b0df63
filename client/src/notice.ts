import { CHANGED, settled } from "./choice";
import { permitted } from "./context";
import { attempt } from "./debug";
import { known, optIn, optOut } from "./door";
import { page } from "./page";

/** The notice in an element: text, link and switch, without styles of its own. */
export const notice = (
  element: Element,
  html = `<p class=brine-notice>We record the steps in this dialog, not who you are, to improve it. <a href="${page.endpoint}/privacy" target=_blank>Details</a> <label><input type=checkbox role=switch> Record</label></p>`,
): unknown =>
  attempt(() => {
    element.insertAdjacentHTML("beforeend", html);
    const box = element.lastElementChild!.querySelector("input")!;
    box.onchange = () => (box.checked ? optIn() : optOut());
    const draw = (): void => {
      box.checked = permitted();
      box.disabled = !!settled();
    };
    draw();
    addEventListener(CHANGED, draw);
    known();
  });

import { CHANGED, settled } from "./choice";
import { permitted } from "./context";
import { attempt } from "./debug";
import { known, tellChoice } from "./door";
import { page } from "./page";

/** The notice in an element: text, link and switch, without styles of its own. */
export const notice = (
  element: Element,
  html = `<p class=brine-notice>Steps, not who you are, are recorded to improve this. <a href="${page.endpoint}/privacy" target=_blank>Details</a> <label><input type=checkbox> Record</label>`,
): unknown =>
  attempt(() => {
    element.insertAdjacentHTML("beforeend", html);
    const box = element.lastElementChild!.querySelector("input")!;
    box.onchange = () => tellChoice(!box.checked);
    const draw = (): void => {
      box.checked = permitted();
      box.disabled = settled() as boolean;
    };
    draw();
    addEventListener(CHANGED, draw);
    known();
  });

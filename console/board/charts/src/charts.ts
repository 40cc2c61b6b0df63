// Draws the charts of a page: <figure data-chart> holds what is to be drawn as JSON. Without this script, or where it
// fails, the tables beside tell the same.

import { again } from "./again";
import { draw } from "./draw";
import { save } from "./save";
import type { Spec } from "./spec";

const showAll = () => document.querySelectorAll<HTMLElement>("figure[data-chart]").forEach(show);
showAll();
again(showAll);

function show(figure: HTMLElement): void {
  const place = figure.querySelector<HTMLElement>(".plot");
  const data = figure.querySelector("script");
  if (!place || !data) return;
  const spec = JSON.parse(data.textContent ?? "") as Spec;
  let width = 0;
  new ResizeObserver(() => {
    if (place.clientWidth === width || place.clientWidth === 0) return;
    width = place.clientWidth;
    const drawing = draw(spec, width);
    drawing.setAttribute("role", "img");
    for (const mark of drawing.querySelectorAll("g[aria-label]")) mark.removeAttribute("aria-label"); // an image has one name
    place.replaceChildren(drawing);
    figure.dataset.drawn = "";
  }).observe(place);
  offer(figure, place);
}

// offer adds a button that saves what is drawn.
function offer(figure: HTMLElement, place: HTMLElement): void {
  const links = figure.querySelector(".downloads");
  if (!links) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "SVG";
  button.title = "Save this chart as SVG";
  button.addEventListener("click", () => {
    const drawing = place.querySelector<SVGSVGElement>("svg");
    if (drawing) save(drawing, figure.dataset.chart || "chart");
  });
  links.append(button);
}

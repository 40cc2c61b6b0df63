// A drawing as a file of its own: what the page's style sheet says of it is written into it.

const painted = ["fill", "stroke"] as const;

export function save(drawing: SVGSVGElement, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([alone(drawing)], { type: "image/svg+xml" }));
  link.download = name + ".svg";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser reads it after the click
}

function alone(drawing: SVGSVGElement): string {
  const copy = drawing.cloneNode(true) as SVGSVGElement;
  const [drawn, copied] = [drawing.querySelectorAll("*"), copy.querySelectorAll("*")];
  drawn.forEach((element, i) => {
    for (const attribute of painted) {
      if (element.getAttribute(attribute)?.startsWith("var(")) copied[i]!.setAttribute(attribute, getComputedStyle(element)[attribute]);
    }
  });
  const style = getComputedStyle(drawing);
  copy.removeAttribute("style");
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("font-family", style.fontFamily);
  copy.setAttribute("font-size", style.fontSize);
  copy.setAttribute("color", style.color);
  return new XMLSerializer().serializeToString(copy);
}

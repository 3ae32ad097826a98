/** Whether the person has asked the system for less motion. */
export function prefersCalm(view: Window = window): boolean {
  return view.matchMedia("(prefers-reduced-motion: reduce)").matches;
}

import { colourIndex, initials } from "../../shared/format";

const COLOURS = 6;

/** A person's initials on a colour of their own. */
export function Avatar({ id, name, size, pulsing = false }: { id: string; name: string; size: number; pulsing?: boolean }) {
  return (
    <span
      className={`rh-avatar rh-avatar-${colourIndex(id, COLOURS)}${pulsing ? " rh-pulsing" : ""}`}
      style={{ width: size, height: size, fontSize: Math.round(size * 0.36) }}
      aria-hidden="true"
    >
      {initials(name)}
    </span>
  );
}

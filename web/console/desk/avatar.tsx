import { colourIndex, initials } from "../../shared/format";

const COLOURS = 6;

/** A person's initials on a colour of their own. Colleagues go by their surname: their titles are all the same. */
export function Avatar({
  id,
  name,
  size,
  pulsing = false,
  staff = false,
}: {
  id: string;
  name: string;
  size: number;
  pulsing?: boolean;
  staff?: boolean;
}) {
  const surname = staff ? /^\p{Script=Han}/u.exec(name)?.[0] : undefined;
  const text = surname ?? initials(name);
  return (
    <span
      className={`rh-avatar rh-avatar-${colourIndex(id, COLOURS)}${pulsing ? " rh-pulsing" : ""}`}
      style={{ width: size, height: size, fontSize: Math.round(size * 0.38) }}
      aria-hidden="true"
    >
      {text}
    </span>
  );
}

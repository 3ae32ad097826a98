/** Characters that nobody confuses when reading a room name aloud. */
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";

/** A short room name that nobody else has by chance: `kx4-p9m`. */
export function suggestRoom(): string {
  const letters = Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => ALPHABET[byte % ALPHABET.length] ?? "x");
  return `${letters.slice(0, 3).join("")}-${letters.slice(3).join("")}`;
}

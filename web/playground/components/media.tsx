import { useEffect, useRef } from "preact/hooks";
import type { MediaHandle } from "../../shared/call/model";

interface VideoProps {
  handle: MediaHandle;
  mirrored?: boolean;
  /** `contain` shows all of a screen; `cover` fills the tile with a face. */
  fit: "cover" | "contain";
}

export function Video({ handle, mirrored = false, fit }: VideoProps) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => (element.current === null ? undefined : handle.attach(element.current)), [handle]);
  return <video ref={element} class={`video fit-${fit}${mirrored ? " mirrored" : ""}`} autoplay playsinline muted />;
}

export function Sound({ handle }: { handle: MediaHandle }) {
  const element = useRef<HTMLAudioElement>(null);
  useEffect(() => (element.current === null ? undefined : handle.attach(element.current)), [handle]);
  return <audio ref={element} autoplay />;
}

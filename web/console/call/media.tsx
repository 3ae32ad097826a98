import { useEffect, useRef, useState } from "react";
import type { MediaHandle, ParticipantView } from "../../shared/call/model";

/** Somebody's picture. `onElement`: the playing element, for drawing on it. */
export function Video({
  media,
  label,
  mirrored = false,
  cover = false,
  onElement,
}: {
  media: MediaHandle;
  label: string;
  mirrored?: boolean;
  /** Fill the box, as faces may; screens are shown whole. */
  cover?: boolean;
  onElement?: (element: HTMLVideoElement | null) => void;
}) {
  const [element, setElement] = useState<HTMLVideoElement | null>(null);
  const tell = useRef(onElement);
  useEffect(() => {
    tell.current = onElement;
  });
  useEffect(() => {
    if (element === null) return undefined;
    const detach = media.attach(element);
    tell.current?.(element);
    return () => {
      tell.current?.(null);
      detach();
    };
  }, [element, media]);
  const classes = ["rh-video", mirrored ? "rh-mirrored" : "", cover ? "rh-cover" : ""].filter((each) => each !== "").join(" ");
  return <video ref={setElement} className={classes} aria-label={label} autoPlay playsInline muted />;
}

function Sound({ media }: { media: MediaHandle }) {
  const element = useRef<HTMLAudioElement>(null);
  useEffect(() => (element.current === null ? undefined : media.attach(element.current)), [media]);
  return <audio ref={element} autoPlay />;
}

/** Lets everybody else be heard. */
export function Sounds({ participants }: { participants: readonly ParticipantView[] }) {
  return (
    <>
      {participants.flatMap((person) => [
        ...(person.audio === null ? [] : [<Sound key={`${person.identity}/voice`} media={person.audio} />]),
        ...(person.screenAudio === null ? [] : [<Sound key={`${person.identity}/screen`} media={person.screenAudio} />]),
      ])}
    </>
  );
}

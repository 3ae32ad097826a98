import { useFlash } from "../components/menu";
import { useAmbience } from "../context";
import { CheckIcon, LinkIcon } from "../icons";

export function EmptyState({ link }: { link: string }) {
  const { t } = useAmbience();
  return (
    <section class="empty">
      <span class="empty-mark">
        <LinkIcon />
      </span>
      <h2>{t("empty.title")}</h2>
      <p>{t("empty.text")}</p>
      <ShareLink link={link} />
    </section>
  );
}

/** The link, readable and selectable, with a button that copies it. */
export function ShareLink({ link }: { link: string }) {
  const { t } = useAmbience();
  const [copied, flash] = useFlash();
  return (
    <div class="share">
      <input
        class="input"
        readOnly
        value={link}
        aria-label={t("empty.link")}
        onFocus={(event) => event.currentTarget.select()}
      />
      <button type="button" class="button primary" onClick={() => void copyText(link).then(flash)}>
        {copied ? <CheckIcon /> : <LinkIcon />}
        <span aria-live="polite">{t(copied ? "control.linkCopied" : "empty.copy")}</span>
      </button>
    </div>
  );
}

/** Copies text; on insecure pages, where there is no clipboard, by a selection. */
export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "visually-hidden";
    document.body.append(field);
    field.select();
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way left on insecure pages
    document.execCommand("copy");
    field.remove();
  }
}

/** The nonce that the server put into the page: style sheets added later must carry it. */
export const NONCE = document.querySelector<HTMLMetaElement>('meta[name="style-nonce"]')?.content ?? "";

/**
 * Gives every style sheet that our own script makes the page's nonce.
 *
 * Ant Design does so with what `ConfigProvider` knows, but not where it locks scrolling behind a dialog
 * (`@rc-component/portal`, `useScrollLocker`); the policy would refuse that sheet.
 */
export function signStyleSheets(): void {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- only its forms for old element names are
  const create = document.createElement.bind(document);
  const signing = (name: string, options?: ElementCreationOptions): HTMLElement => {
    const made = create(name, options);
    if (made instanceof HTMLStyleElement && made.nonce === "") made.nonce = NONCE;
    return made;
  };
  Object.defineProperty(document, "createElement", { value: signing, configurable: true, writable: true });
}

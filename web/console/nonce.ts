/** The nonce that the server put into the page: style sheets added later must carry it. */
export const NONCE = document.querySelector<HTMLMetaElement>('meta[name="style-nonce"]')?.content ?? "";

/**
 * Gives every style sheet that our own script makes the page's nonce.
 *
 * Ant Design does so with what `ConfigProvider` knows, but not where it locks scrolling behind a dialog
 * (`@rc-component/portal`, `useScrollLocker`); the policy would refuse that sheet.
 */
export function signStyleSheets(): void {
  const create = document.createElement.bind(document) as (name: string, options?: ElementCreationOptions) => HTMLElement;
  document.createElement = ((name: string, options?: ElementCreationOptions) => {
    const made = create(name, options);
    if (made instanceof HTMLStyleElement && made.nonce === "") made.nonce = NONCE;
    return made;
  }) as typeof document.createElement;
}

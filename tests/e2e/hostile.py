"""Strings that would run something in a page that takes text for markup."""

from __future__ import annotations

HOSTILE = [
    wrapper.format(code)
    for code in ("window.__ran=1", "window['__ran']=1", "top.__ran=1", "alert(1)", "document.title='ran'")
    for wrapper in (
        "<script>{}</script>",
        "<img src=x onerror={}>",
        "<svg onload={}>",
        '"><img src=x onerror={}>',
        "'><svg/onload={}>",
        "javascript:{}",
        "<a href=javascript:{}>x</a>",
        "<iframe srcdoc='<script>parent.{}</script>'>",
        "<body onload={}>",
        "</textarea><script>{}</script>",
        "</title><script>{}</script>",
        "<details open ontoggle={}>",
        "<video><source onerror={}>",
        "<style>@import 'javascript:{}'</style>",
        "{{{{constructor.constructor('{}')()}}}}",
        "${{{}}}",
        "<math><mi xlink:href='javascript:{}'>",
        "<input autofocus onfocus={}>",
        "<marquee onstart={}>",
        "<object data='javascript:{}'>",
        "<base href='javascript:{}//'>",
        "<meta http-equiv=refresh content='0;url=javascript:{}'>",
        "&lt;script&gt;{}&lt;/script&gt;",
        "\u202e<script>{}</script>\u0000",
        "`-{}-`",
        "';{};//",
        '";{};//',
        "<!--<script>{}-->",
        "<x onclick={}>x</x>",
        "<form><button formaction=javascript:{}>x",
        "<template><script>{}</script></template>",
        "<link rel=stylesheet href='data:text/css,x{{behavior:{}}}'>",
        "data:text/html,<script>{}</script>",
        "<embed src='javascript:{}'>",
        "<select autofocus onfocus={}>",
        "<keygen autofocus onfocus={}>",
        "<p style='background:url(javascript:{})'>",
        "%3Cscript%3E{}%3C/script%3E",
        "\\u003cscript\\u003e{}\\u003c/script\\u003e",
        "<scr<script>ipt>{}</scr</script>ipt>",
    )
]
"""200 of them; whatever runs leaves `window.__ran`, an alert or the title "ran"."""

STRANGERS = "script, iframe, object, embed, marquee, base, meta, link, [src=x], [onerror], [onload]"
"""What stands in none of our pages' bodies unless such a string has become markup."""

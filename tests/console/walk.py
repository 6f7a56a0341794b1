"""Walks through the console in a headless Chromium and looks at what a person would see."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(sys.argv[1])
PICTURES = Path(os.environ["SCREENSHOTS"])
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
POLICY = "990100-MZ-0007"
# Another city than the sample, with one of its people, for pictures.
SOURCES = os.environ.get("SOURCES", f"{ROOT}/data-samples/sources.yaml")
SUBJECT = os.environ.get("SUBJECT")

failures: list[str] = []


def check(holds: bool, what: str) -> None:
    """Notes what does not hold, and goes on."""
    if not holds:
        failures.append(what)
        print("FAILED:", what)


class Server:
    """The real server on a free port, on a store of its own that holds the sample city."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        settings = Path(self.folder.name) / "serve.yaml"
        settings.write_text(
            f"listen: 127.0.0.1:0\npolicies: {ROOT}/policies\nsources: {SOURCES}\n"
            "store: city.db\nlimits: {per_second: 1000, burst: 2000}\n"
        )
        command = [os.environ["MIANSHEN"], "serve", "--lang", "en", "--settings", str(settings)]
        self.process = subprocess.Popen(command, cwd=self.folder.name, stderr=subprocess.PIPE, text=True)
        self.key = self.base = ""
        lines = []
        while not self.base:
            line = self.process.stderr.readline()
            if not line:
                raise SystemExit("the server ended:\n" + "".join(lines))
            lines.append(line)
            if found := re.search(r"X-Api-Key: (\S+)", line):
                self.key = found[1]
            if found := re.search(r"(http://[0-9.:]+)", line):
                self.base = found[1]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)
        self.folder.cleanup()


def sign_in(page: Page, server: Server, lang: str) -> None:
    page.goto(f"{server.base}/console/{lang}/sign-in")
    page.get_by_label(re.compile("Key or token|密钥或令牌")).fill(server.key)
    page.get_by_role("button", name=re.compile("Sign in|登录")).click()
    page.wait_for_url(f"**/console/{lang}/")


def fits(page: Page, name: str) -> None:
    """Nothing is wider than the window; what is wider scrolls in itself."""
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    check(width <= 1, f"{name}: the page is {width} pixels wider than the window")


def readable(page: Page, name: str) -> None:
    """Every text stands out from its ground at 4.5 to 1 or more (WCAG AA)."""
    poor = page.evaluate(
        """() => {
          const light = (c) => { const v = c / 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
          const lum = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
          const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
          const ground = (e) => {
            for (let at = e; at; at = at.parentElement) {
              const c = parse(getComputedStyle(at).backgroundColor);
              if (c.length < 4 || c[3] > 0) return c;
            }
            return [255, 255, 255];
          };
          const poor = [];
          for (const e of document.querySelectorAll('body *')) {
            const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
            if (!own || !e.getClientRects().length || e.closest('svg')) continue;
            const [a, b] = [lum(parse(getComputedStyle(e).color)), lum(ground(e))];
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (ratio < 4.5) poor.push(e.tagName + '.' + e.className + ' ' + ratio.toFixed(2) + ' ' + e.textContent.trim().slice(0, 30));
          }
          return [...new Set(poor)].slice(0, 5);
        }"""
    )
    check(not poor, f"{name}: contrast {poor}")


def picture(page: Page, name: str, whole: bool = False) -> None:
    # The caret stays: to hide it, a style would be put into the page, which the page's own policy forbids.
    page.screenshot(path=PICTURES / f"{name}.png", full_page=whole, caret="initial")


def wait_for_bench(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("[data-state]", timeout=300_000)


def pages(page: Page, server: Server, lang: str, size: str) -> None:
    """Each page as it looks, and whether it fits."""
    at = lambda path: f"{server.base}/console/{lang}/{path}"
    wait_for_bench(page, at(f"bench/{POLICY}"))
    for name, path in [
        ("overview", ""),
        ("policies", "policies"),
        ("policy", f"policies/{POLICY}"),
        ("bench-list", "bench"),
        ("bench", f"bench/{POLICY}"),
        ("subjects", "subjects"),
        ("runs", "runs"),
        ("run", "runs/1"),
        ("trail", "trail"),
        ("guide", f"policies/{POLICY}.html"),
    ]:
        page.goto(at(path))
        fits(page, f"{lang} {size} {name}")
        readable(page, f"{lang} {size} {name}")
        picture(page, f"{name}-{lang}-{size}", whole=True)
    subject(page, server, lang, size)


def somebody() -> str:
    """A person of the city: one who is named, else the first of the sample's own list of planted people."""
    if SUBJECT:
        return SUBJECT
    planted = (ROOT / "data-samples/planted.json").read_text()
    return re.search(r'"(99\d{15}[\dX])"', planted)[1]


def subject(page: Page, server: Server, lang: str, size: str) -> None:
    page.goto(f"{server.base}/console/{lang}/subjects")
    page.locator("#id").fill(somebody())
    page.locator("#purpose").select_option("casework")
    page.locator("main form button").click()
    page.wait_for_selector("#services-title")
    check(somebody() not in page.url, "no identifier in the address")
    check(somebody() not in page.content(), "the identifier is masked")
    fits(page, f"{lang} {size} subject")
    readable(page, f"{lang} {size} subject")
    picture(page, f"subject-{lang}-{size}", whole=True)


def bench_by_script(page: Page, server: Server) -> None:
    """Editing is answered by itself; mistakes are gone to by a button; the caret and the page stay."""
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    wait_for_bench(page, f"{server.base}/console/en/bench/{POLICY}")
    editor = page.locator("#policy")
    text = editor.input_value()
    editor.fill(text.replace(">= 80", ">= 75"))
    page.locator("#state", has_text="tried on").wait_for()
    check(page.locator("#answer .gain").first.inner_text().startswith("+"), "somebody gains")
    page.evaluate("document.getElementById('policy').scrollTop = 150")
    check(page.url.endswith(POLICY), "the page stays")
    picture(page, "bench-edited-en-desktop")
    picture(page, "bench-edited-whole-en-desktop", whole=True)
    editor.fill(text.replace("not deceased or", "not deceasd or"))
    page.locator("#answer li.error mark", has_text="deceasd").wait_for()
    check(page.locator("#answer mark").first.inner_text() == "deceasd", "the very characters are marked, errors first")
    picture(page, "bench-mistake-en-desktop")
    page.locator("#answer button[data-start]").first.click()
    selected = page.evaluate("() => { const e = document.getElementById('policy'); return e.value.slice(e.selectionStart, e.selectionEnd); }")
    check(selected == "deceasd", f"the place is gone to: {selected!r}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the draft").click()
    check("deceasd" in Path(download.value.path()).read_text(), "the draft is what was written")
    check(all(url.startswith(server.base) for url in requests), f"nothing is loaded from elsewhere: {requests}")


def bench_without_script(page: Page, server: Server) -> None:
    page.goto(f"{server.base}/console/zh/bench/{POLICY}")
    editor = page.locator("#policy")
    editor.fill(editor.input_value().replace(">= 80", ">= 75"))
    page.get_by_role("button", name="试算", exact=True).click()
    check(page.locator("#answer .gain").first.inner_text().startswith("+"), "somebody gains without script, too")
    check(">= 75" in page.locator("#policy").input_value(), "what was sent stands in the editor")
    picture(page, "bench-edited-zh-desktop")


def by_keyboard(page: Page, server: Server) -> None:
    """The first stop of the tabulator leads to the content; every stop can be seen."""
    page.goto(f"{server.base}/console/en/")
    page.keyboard.press("Tab")
    check(page.evaluate("document.activeElement.className") == "skip", "the first stop is the skip link")
    page.keyboard.press("Enter")
    check(page.evaluate("document.activeElement.id") == "main", "it leads to the content")
    page.goto(f"{server.base}/console/en/subjects")
    while True:
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        outline = page.evaluate(
            "() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1; }"
        )
        check(outline, "the focus can be seen: " + page.evaluate("document.activeElement.outerHTML.slice(0, 80)"))


def named(page: Page, server: Server) -> None:
    """Fields, buttons, tables and pictures have names for those who listen."""
    for path in ["", "policies", f"policies/{POLICY}", f"bench/{POLICY}", "subjects", "runs/1", "trail"]:
        page.goto(f"{server.base}/console/en/{path}")
        nameless = page.evaluate(
            """() => [...document.querySelectorAll('input:not([type=hidden]),textarea,select,button,a,svg[role=img]')]
              .filter((e) => !(e.labels && e.labels.length) && !e.getAttribute('aria-label') && !e.textContent.trim())
              .map((e) => e.outerHTML.slice(0, 80))"""
        )
        check(not nameless, f"{path}: without a name {nameless}")
        levels = page.evaluate("() => [...document.querySelectorAll('h1,h2,h3,h4')].map((e) => Number(e.tagName[1]))")
        jumps = [pair for pair in zip(levels, levels[1:]) if pair[1] > pair[0] + 1]
        check(levels[:1] == [1] and not jumps, f"{path}: headings {levels}")


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    server = Server()
    try:
        with sync_playwright() as playwright:
            options = {"headless": True, "args": ["--no-sandbox"]}
            if os.environ.get("CHROMIUM"):
                options["executable_path"] = os.environ["CHROMIUM"]
            browser = playwright.chromium.launch(**options)
            for size, viewport in [("desktop", DESKTOP), ("phone", PHONE)]:
                for lang in ["zh", "en"]:
                    context = browser.new_context(viewport=viewport, device_scale_factor=1, locale="zh-CN" if lang == "zh" else "en-GB")
                    page = context.new_page()
                    wrong: list[str] = []
                    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
                    page.on("pageerror", lambda error: wrong.append(str(error)))
                    sign_in(page, server, lang)
                    pages(page, server, lang, size)
                    if (size, lang) == ("desktop", "en"):
                        bench_by_script(page, server)
                        by_keyboard(page, server)
                        named(page, server)
                    check(not wrong, f"{lang} {size}: the browser complains: {wrong}")
                    context.close()
            context = browser.new_context(viewport=DESKTOP, java_script_enabled=False)
            page = context.new_page()
            sign_in(page, server, "zh")
            bench_without_script(page, server)
            context.close()
            browser.close()
    finally:
        server.stop()
    print(f"{len(failures)} findings; pictures in {PICTURES}")
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()

"""Which modules the web client loads, for the `modulepreload` links in the head of its page."""

import posixpath
import re

from served_files import PAGE, file_of

LINKS = re.compile(r'(?:  <link rel="modulepreload"[^\n]*\n)+')
IMPORTS = re.compile(r"(?:\bfrom |\bimport |\bimport\()'([^']+)'")


def modules(path="/web/app.js", found=None):
    """The paths of a module and of all that it imports."""
    found = {} if found is None else found
    if path not in found:
        found[path] = True
        for name in IMPORTS.findall(file_of(path).read_text()):
            if name.startswith("."):
                modules(posixpath.normpath(posixpath.join(posixpath.dirname(path), name)), found)
            elif name.startswith("/"):
                modules(name, found)
    return found


def write():
    """Replaces the links of the page."""
    page = PAGE / "index.html"
    links = "".join(f'  <link rel="modulepreload" href="{path}">\n' for path in sorted(modules()) if path != "/web/app.js")
    page.write_text(LINKS.sub(links, page.read_text(), count=1))
    print(f"{page.name}: {links.count('href')} modules")

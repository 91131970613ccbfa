"""How numbers stand on a built page: true minus signs, numbers at the right of their column, no empty header cells.

It works on a page's finished HTML, so that tables of Markdown, of pandas and of the library are treated alike.
"""

import re
from collections.abc import Iterator

#: A tag, a comment, or the text between two of them.
TOKENS = re.compile(r"<!--.*?-->|<[^>]*>|[^<]+", re.DOTALL)
NAME = re.compile(r"</?([a-zA-Z][\w-]*)")
#: Text inside these stays as it was typed.
VERBATIM = ("code", "pre", "script", "style", "textarea", "kbd", "title", "option")
#: Formulas keep theirs: MathJax sets it.
FORMULA = re.compile(r"\\[(\[]")
#: A hyphen before a digit, where a number begins.
HYPHEN = re.compile(r"(?<![\w.)\]\u2013-])-(?=\d|\.\d)")
EMPTY_HEAD = re.compile(r"<th(?P<more>[^>]*)>\s*(?:<p>\s*</p>\s*)?</th>")
#: A cell that holds a number, perhaps with its interval, sign, unit or bound, perhaps bold.
NUMBER = re.compile(
    r"<td(?P<more>[^>]*)>(?P<open>\s*(?:<p>)?(?:<strong>)?\s*)(?P<number>(?:[&<]lt; ?|< ?)?[-+\u2212]?\.?\d[^<]*)(?=<)"
)
CLASS = re.compile(r'class="')


def typeset(body: str) -> str:
    """The same page with its numbers set well."""
    body = EMPTY_HEAD.sub(lambda m: f"<td{m['more']}></td>", body)
    body = NUMBER.sub(lambda m: f"<td{_with_class(m['more'])}>{m['open']}{m['number']}", body)
    return "".join(_minus(body))


def _with_class(attributes: str) -> str:
    if CLASS.search(attributes):
        return CLASS.sub('class="gift-number ', attributes, count=1)
    return f'{attributes} class="gift-number"'


def _minus(body: str) -> Iterator[str]:
    """The page's tokens, hyphens in front of numbers as minus signs and intervals in one piece."""
    verbatim = 0
    for token in TOKENS.findall(body):
        if token.startswith("<"):
            name = NAME.match(token)
            if name and name[1].lower() in VERBATIM and not token.endswith("/>"):
                verbatim += -1 if token.startswith("</") else 1
            yield token
        elif verbatim or FORMULA.search(token):
            yield token
        else:
            yield HYPHEN.sub("\u2212", token).replace(" ± ", "\u00a0±\u00a0")

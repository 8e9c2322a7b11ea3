"""Write docs/mistakes.md, the catalogue of mistakes, from the catalogue."""

from pathlib import Path

from rnnlite import mistakes

PAGE = Path(__file__).parent.parent / "docs" / "mistakes.md"
HEAD = """# Mistakes that people make

{count} lines of code that stand in the place of the right ones, in recurrent networks and around
them. The right lines are those of [rnnlite/mistakes/subjects](../rnnlite/mistakes/subjects), plain
NumPy. [The gradient check](gradient_check.md) names those that it meets. This page is made by
`scripts/make_mistakes_page.py`.
"""


def page():
    """The text of the page: a section for each function that holds lines of the catalogue."""
    parts = [HEAD.format(count=len(mistakes.CATALOGUE))]
    for subjects in dict.fromkeys(mistake.subjects for mistake in mistakes.CATALOGUE):
        group = [mistake for mistake in mistakes.CATALOGUE if mistake.subjects == subjects]
        parts.append(f"\n## {', '.join(f'`{subject}`' for subject in subjects)}\n")
        for mistake in group:
            wrong = f"`{mistake.wrong}`" if mistake.wrong else "nothing"
            parts.append(
                f"- **{mistake.name}**: as if {mistake.as_if}.\n"
                f"  {wrong} for `{mistake.right}`.\n"
                f"  {mistake.why} *{mistake.lesson}*"
            )
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

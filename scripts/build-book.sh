#!/usr/bin/env bash
# Builds the book: build-book.sh MDBOOK. `make docs` calls it.
#
# Chapters link to files outside of docs/ in the way that works in the repository. mdBook takes each Markdown file for a
# chapter. Of these only spool-layout.md is one; the others are copied beside the book as they are.
set -euo pipefail
cd "$(dirname "$0")/.."

book=target/book
rm -rf "$book"
"$1" build docs
mkdir "$book/repository"
cp -r README.md ARCHITECTURE.md CONTRIBUTING.md SECURITY.md CHANGELOG.md LICENSE examples "$book/repository"
find "$book" -name '*.html' -exec sed -E -i \
	-e 's#href="((\.\./)*)\.\./spool-layout\.html#href="\1spool-layout.html#g' \
	-e 's#href="((\.\./)*)\.\./(README|ARCHITECTURE|CONTRIBUTING|SECURITY|CHANGELOG|examples/[^"]*/README)\.html#href="\1repository/\3.md#g' \
	-e 's#href="((\.\./)*)\.\./examples/#href="\1repository/examples/#g' {} +

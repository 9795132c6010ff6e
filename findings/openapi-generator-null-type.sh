#!/usr/bin/env bash
# openapi-generator 7.26.0, from the PyPI package openapi-generator-cli, with its Python generator.
#
# Guess: a property whose schema is {"type": "null"} is valid in OpenAPI 3.1 (JSON Schema 2020-12, section 6.1.1 of the validation
# vocabulary), and openapi-spec-validator agrees, so a client is generated in which the property is always None.
# Seen: the generator gives up on the whole document with "not yet supported in getPydanticType", and writes no client.
# What helps: describe such a property without a bare null, for example as {"anyOf": [SOMETHING, {"type": "null"}]}.
#
# Needs Python 3 with venv, and Java 11 or later.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check openapi-generator-cli==7.26.0 openapi-spec-validator==0.9.0

describe() {
	cat <<JSON
{
  "openapi": "3.1.0",
  "info": { "title": "One property", "version": "1" },
  "paths": {
    "/nobody": {
      "get": {
        "operationId": "nobody",
        "responses": {
          "200": {
            "description": "Who is signed in",
            "content": { "application/json": { "schema": { "\$ref": "#/components/schemas/Somebody" } } }
          }
        }
      }
    }
  },
  "components": {
    "schemas": {
      "Somebody": { "type": "object", "required": ["user"], "properties": { "user": $1 } }
    }
  }
}
JSON
}

generate() {
	venv/bin/openapi-generator-cli generate --generator-name python --input-spec "$1.json" --output "$1" >"$1.log" 2>&1
}

describe '{ "type": "null" }' >null.json
describe '{ "anyOf": [{ "type": "string" }, { "type": "null" }] }' >optional.json
for document in null optional; do
	venv/bin/openapi-spec-validator "$document.json"
done

generate optional || { echo "Changed: a property that may be null cannot be generated either:"; tail -n 5 optional.log; exit 1; }
if generate null; then
	echo "Changed: a client is generated for a property that is always null."
	exit 1
fi
grep -q 'not yet supported in getPydanticType' null.log || { echo "Changed: it fails with other words:"; tail -n 5 null.log; exit 1; }
grep -o 'Exception.*getPydanticType[^,]*' null.log | head -n 1
echo "Seen as described: {\"type\": \"null\"} is refused, and string or null is not."

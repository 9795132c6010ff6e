import { readFileSync } from 'node:fs'

import { expect, test } from 'vitest'

interface Module {
  css?: string[]
  imports?: string[]
}

const MODULES = 'node_modules/@wikimedia/codex/dist/modules'
const manifest = JSON.parse(readFileSync(`${MODULES}/manifest.json`, 'utf8')) as Record<string, Module>

/** The style sheets of a module and of everything that it imports, inner ones first. */
function styles(name: string): string[] {
  const { css = [], imports = [] } = manifest[name] ?? {}
  return [...imports.flatMap(styles), ...css]
}

test('each component of Codex that is used has its style, and no other', () => {
  const sources = import.meta.glob<string>('./**/*.vue', { eager: true, import: 'default', query: '?raw' })
  const used = new Set(Object.values(sources).flatMap((source) => source.match(/(?<=<Cdx)[A-Z]\w+/g) ?? []))
  const modules = Object.keys(manifest).filter((name) => used.has(/(\w+)\.(?:vue|ts)$/.exec(name)?.[1] ?? ''))
  expect(modules.length).toBe(used.size)
  const needed = new Set(modules.flatMap(styles).map((name) => name.replace('.css', '')))
  const imported = readFileSync('src/codexStyles.ts', 'utf8').match(/(?<=modules\/)\w+/g)
  expect(imported?.toSorted()).toEqual([...needed].toSorted())
})

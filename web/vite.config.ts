import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

/** Where `npm run dev` finds the API: that of `make run`, unless another is named. */
const api = process.env.SPIDERPIG_API ?? 'http://127.0.0.1:8000'

const tests = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => `src/${name}`)

/** Tests that touch no document, no global and no mock. What is tested in `state` touches the window by itself. */
const plain = tests.filter(
  (name) =>
    !name.startsWith('src/state/') && !/mount\(|\bvi\.|document|window|\.vue'|@vue/.test(readFileSync(name, 'utf8')),
)

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { '@': fileURLToPath(new URL('src', import.meta.url)) } },
  build: {
    // Assets are files, never data URLs: the page's policy allows those for pictures only.
    assetsInlineLimit: 0,
    target: 'es2023',
  },
  server: { proxy: { '/api': api, '/healthz': api, '/favicon.ico': api } },
  test: {
    restoreMocks: true,
    // Generous: properties are tried often, and other tests share the two cores.
    testTimeout: 60_000,
    projects: [
      // They need no browser, and nothing of one is left for the next. This is where most of the time would go.
      { extends: true, test: { name: 'plain', environment: 'node', isolate: false, include: plain } },
      { extends: true, test: { name: 'page', environment: 'happy-dom', include: tests, exclude: plain } },
    ],
  },
})

import { fileURLToPath } from 'node:url'

import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

/** Where `npm run dev` finds the API: that of `make run`, unless another is named. */
const api = process.env.SPIDERPIG_API ?? 'http://127.0.0.1:8000'

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
    environment: 'happy-dom',
    include: ['src/**/*.test.ts'],
    restoreMocks: true,
    // Generous: properties are tried often, and other tests share the two cores.
    testTimeout: 60_000,
  },
})

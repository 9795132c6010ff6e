import { expect, test, vi } from 'vitest'

import NotLoadedPage from '@/frame/NotLoadedPage.vue'

import { makeRouter } from './router.ts'

vi.mock('@/pages/train/TrainPage.vue', () => {
  throw new Error('Failed to fetch dynamically imported module')
})
vi.mock('@/pages/monitoring/ErrorsPage.vue', () => ({ default: { name: 'ErrorsPage' } }))

const router = makeRouter()
const shown = () => router.currentRoute.value.matched[0]?.components?.default

test('a page is loaded when somebody goes there', async () => {
  await router.push('/mediawiki/logs?q=a')
  expect(shown()).toEqual({ name: 'ErrorsPage' })
})

test('a page that cannot be loaded says so, at its address', async () => {
  await router.push('/mediawiki/train')
  expect(shown()).toBe(NotLoadedPage)
  expect(router.currentRoute.value.name).toBe('train')
})

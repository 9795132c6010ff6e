import { expect, it } from 'vitest'

import { formatBytes } from './bytes.ts'

it('tells bytes in the unit that fits', () => {
  expect([0, 512, 1536, 73_400_320, 1_610_612_736, 5e15].map(formatBytes)).toEqual([
    '0 B',
    '512 B',
    '1.5 KiB',
    '70 MiB',
    '1.5 GiB',
    '4547 TiB',
  ])
})

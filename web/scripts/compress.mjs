// Puts a .br and a .gz beside each file of the built page, once and as small as can be: the API only passes them on.

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const DIST = new URL('../dist', import.meta.url).pathname
const COMPRESSIBLE = new Set(['.css', '.html', '.js', '.svg'])

const encoders = {
  '.br': (bytes) =>
    promisify(brotliCompress)(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
  '.gz': (bytes) => promisify(gzip)(bytes, { level: constants.Z_BEST_COMPRESSION }),
}

for (const entry of await readdir(DIST, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name)
  if (entry.isFile() && COMPRESSIBLE.has(extname(path))) {
    const bytes = await readFile(path)
    for (const [extension, encode] of Object.entries(encoders)) {
      await writeFile(path + extension, await encode(bytes))
    }
  }
}

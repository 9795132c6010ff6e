import { cdxIconEdit, cdxIconMerge, cdxIconTrash, type Icon } from '@wikimedia/codex-icons'

import type { Change } from '@/api/types.ts'

/** Words and icons for Gerrit's states. */
export const STATUSES: Record<Change['status'], { word: string; icon: Icon }> = {
  NEW: { word: 'Open', icon: cdxIconEdit },
  MERGED: { word: 'Merged', icon: cdxIconMerge },
  ABANDONED: { word: 'Abandoned', icon: cdxIconTrash },
}

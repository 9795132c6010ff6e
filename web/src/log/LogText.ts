import { h, type FunctionalComponent, type VNodeChild } from 'vue'

import './log-text.less'
import { shownOf, type Part, type Piece } from './parts.ts'

interface Props {
  text: string
  /** The text that is searched for. */
  needle: string
  /** How many characters to show at most. */
  most: number
}

/**
 * A line of output with its colours, links and matches. `more` asks to show all of it.
 *
 * There are many of these, so plain text gets no element of its own.
 */
export const LogText: FunctionalComponent<Props, { more: () => void }> = ({ text, needle, most }, { emit }) => {
  const { parts, left } = shownOf(text, needle, most)
  const shown: VNodeChild[] = parts.flatMap(nodesOf)
  if (left > 0) {
    const words = `… show ${left.toLocaleString('en-GB')} more characters`
    shown.push(h('button', { class: 'log-row__button', type: 'button', onClick: () => emit('more') }, words))
  }
  return shown
}
LogText.props = ['text', 'needle', 'most']
LogText.emits = ['more']

function nodesOf({ href, pieces }: Part): VNodeChild[] {
  const nodes = pieces.map(nodeOf)
  return href === null
    ? nodes
    : [h('a', { class: 'is-underlined', href, rel: 'noopener noreferrer', target: '_blank' }, nodes)]
}

function nodeOf({ text, paint, isMatch }: Piece): VNodeChild {
  if (!isMatch && paint.classes.length === 0) {
    return text
  }
  return h(isMatch ? 'mark' : 'span', { class: paint.classes, style: paint.properties }, text)
}

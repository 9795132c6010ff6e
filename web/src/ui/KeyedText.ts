import { h, type FunctionalComponent } from 'vue'

/**
 * A text that says a question, a state or an outcome: another text is another element.
 *
 * A browser's translation, or an extension, puts elements of its own in the place of text nodes. What Vue then writes into
 * the old text node is seen by nobody, so a changed text would never be shown, and a click could answer a question that is
 * not the one on the screen.
 */
export const KeyedText: FunctionalComponent<{ text: string }> = ({ text }) => h('span', { key: text }, text)
KeyedText.props = ['text']

import { h, type FunctionalComponent } from 'vue'

/**
 * A text with its own element for each value, for questions, states and outcomes.
 *
 * A browser's translation, or an extension, replaces text nodes by its own elements. Vue then updates the old text
 * node, which is no longer visible. So a new text would never show, and a click could answer a question other than the
 * one on the screen.
 */
export const KeyedText: FunctionalComponent<{ text: string }> = ({ text }) => h('span', { key: text }, text)
KeyedText.props = ['text']

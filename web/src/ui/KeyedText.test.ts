import { mount } from '@vue/test-utils'
import { expect, test } from 'vitest'
import { defineComponent, h } from 'vue'

import { KeyedText } from './KeyedText.ts'
import { translate } from './testing.ts'

const State = defineComponent({
  props: { state: { type: String, required: true } },
  setup: (props) => () => h('p', ['Job 7: ', h(KeyedText, { text: props.state })]),
})

test('a new text is shown in a page that was translated', async () => {
  const state = mount(State, { props: { state: 'Running' } })
  translate(state.element)
  expect(state.text()).toBe('«Job 7:» «Running»')
  await state.setProps({ state: 'Failed' })
  expect(state.text()).toBe('«Job 7:» Failed')
})

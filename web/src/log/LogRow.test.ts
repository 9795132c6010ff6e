import { mount, type VueWrapper } from '@vue/test-utils'
import { describe, expect, test } from 'vitest'

import LogRow from './LogRow.vue'
import type { Row } from './rows.ts'

const ROW: Row = {
  kind: 'output',
  recno: 120,
  time: '2026-11-23T15:38:46.123Z',
  text: 'a line',
  isSensitive: false,
  isContinuation: false,
}

const row = (change: Partial<Row>, props: object = {}): VueWrapper =>
  mount(LogRow, {
    props: {
      row: { ...ROW, ...change },
      address: '/jobs/7#L120',
      before: null,
      start: null,
      timestamps: 'off',
      needle: '',
      isSelected: false,
      isCurrent: false,
      isExpanded: false,
      mayReveal: true,
      ...props,
    },
  })

describe('a row of the log', () => {
  test('shows HTML as the text that it is', () => {
    const shown = row({ text: '<img src=x onerror=alert(1)> <b>&amp;</b>' })
    expect(shown.get('.log-row__text').text()).toBe('<img src=x onerror=alert(1)> <b>&amp;</b>')
    expect(shown.find('img, b').exists()).toBe(false)
  })

  test('links addresses, and nothing else', () => {
    const shown = row({ text: 'see https://example.org/a and javascript:alert(1)' })
    const links = shown.findAll('.log-row__text a')
    expect(links.map((link) => link.attributes('href'))).toEqual(['https://example.org/a'])
    expect(links[0]?.attributes('rel')).toBe('noopener noreferrer')
  })

  test('has colours', () => {
    const span = row({ text: 'a \x1b[1;31mred\x1b[0m word' }).get('.log-text--bold')
    expect(span.text()).toBe('red')
    expect(span.attributes('style')).toContain('--log-on-dark: rgb(')
  })

  test('marks what is searched for', () => {
    const marks = row({ text: 'Error: error' }, { needle: 'ERROR' }).findAll('mark')
    expect(marks.map((mark) => mark.text())).toEqual(['Error', 'error'])
  })

  test('has a number that is a link, and chooses the line', async () => {
    const shown = row({})
    const number = shown.get('.log-row__number')
    expect(number.attributes('href')).toBe('/jobs/7#L120')
    await number.trigger('click')
    await number.trigger('click', { shiftKey: true })
    await number.trigger('click', { ctrlKey: true })
    expect(shown.emitted('select')).toEqual([
      [120, false],
      [120, true],
    ])
  })

  test('shows a part of a very long line, until somebody asks for all of it', async () => {
    const shown = row({ text: 'x'.repeat(20_000) })
    const button = shown.get('button')
    expect(button.text()).toBe('… show 12,000 more characters')
    await button.trigger('click')
    expect(shown.emitted('expand')).toEqual([[120]])
    await shown.setProps({ isExpanded: true })
    expect(shown.get('.log-row__text').text()).toHaveLength(20_000)
  })

  test('stands for lines that are hidden', async () => {
    const shown = row({ kind: 'hidden', text: '3', time: null })
    expect(shown.get('.log-row__text').text()).toContain('3 sensitive lines are hidden')
    await shown.get('button').trigger('click')
    expect(shown.emitted('reveal')).toHaveLength(1)
  })

  test('does not offer hidden lines to who may not see them', () => {
    const shown = row({ kind: 'hidden', text: '3', time: null }, { mayReveal: false })
    expect(shown.get('.log-row__text').text()).toBe('3 sensitive lines are hidden')
    expect(shown.find('button').exists()).toBe(false)
  })

  test('says what is sensitive', () => {
    expect(row({ isSensitive: true }).get('.log-row__text').text()).toBe('sensitive: a line')
  })

  test('has a time if the option is on', () => {
    expect(row({}).find('time').exists()).toBe(false)
    const time = row({}, { timestamps: 'utc' }).get('time')
    expect(time.text()).toBe('15:38:46.123')
    expect(time.attributes('title')).toContain('local time')
  })
})

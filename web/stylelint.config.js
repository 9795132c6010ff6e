export default {
  extends: ['stylelint-config-standard-less', 'stylelint-config-html'],
  rules: {
    // Colours are Codex's tokens, so that both themes have them.
    'color-named': 'never',
    'color-no-hex': true,
    'function-disallowed-list': ['rgb', 'rgba', 'hsl', 'hsla', 'hwb', 'lab', 'lch', 'oklab'],
    // Sides are those of the text, so that the page can be read from right to left.
    'property-disallowed-list': [
      'left',
      'right',
      'margin-left',
      'margin-right',
      'padding-left',
      'padding-right',
      'border-left',
      'border-right',
    ],
    // Codex's classes have a block, two underscores and an element.
    'selector-class-pattern': '^[a-z][a-z0-9]*(-[a-z0-9]+)*(__[a-z0-9]+(-[a-z0-9]+)*)?(--[a-z0-9]+(-[a-z0-9]+)*)?$',
    'no-descending-specificity': null,
  },
}

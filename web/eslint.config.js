import js from '@eslint/js'
import prettier from 'eslint-config-prettier'
import vue from 'eslint-plugin-vue'
import ts from 'typescript-eslint'

export default ts.config(
  { ignores: ['dist', 'node_modules'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...ts.configs.stylistic,
  ...vue.configs['flat/recommended'],
  { files: ['**/*.vue'], languageOptions: { parserOptions: { parser: ts.parser } } },
  {
    rules: {
      // The compiler knows better what is defined.
      'no-undef': 'off',
      '@typescript-eslint/no-non-null-assertion': 'error',
      'vue/block-order': ['error', { order: ['script', 'template', 'style'] }],
      'vue/define-props-declaration': ['error', 'type-based'],
      'vue/no-v-html': 'error',
      // Text from jobs is shown as text: nothing makes HTML of strings.
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Make nodes, not HTML.' },
        { property: 'outerHTML', message: 'Make nodes, not HTML.' },
        { property: 'insertAdjacentHTML', message: 'Make nodes, not HTML.' },
      ],
    },
  },
  { files: ['scripts/**'], rules: { 'no-console': 'off' } },
  prettier,
)

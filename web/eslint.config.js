import js from '@eslint/js'
import prettier from 'eslint-config-prettier'
import vue from 'eslint-plugin-vue'
import ts from 'typescript-eslint'

/**
 * The floors of `src`, the lowest first. A folder imports only from folders on lower floors, by `@/`, and from itself, by
 * `./`. Folders on the same floor do not know each other. What lies in `src` itself (`router.ts`, `App.vue`, `main.ts`)
 * is above all floors.
 */
const FLOORS = [
  // Requests, the event stream, the shapes of what the API answers.
  ['api'],
  // Words for times, sizes, states, addresses. No components.
  ['text'],
  // Components and helpers that know nothing of this page's state.
  ['ui'],
  // What the whole page knows: the session, the jobs, preferences.
  ['state'],
  // Changes of Gerrit; the log of a job.
  ['changes', 'log'],
  // The fields of the start form: parameters, values, chips.
  ['forms'],
  // One job, wherever it is shown.
  ['job'],
  // One folder for each page, or for pages that belong together.
  [
    'pages/account',
    'pages/admin',
    'pages/job',
    'pages/monitoring',
    'pages/overview',
    'pages/runner',
    'pages/signin',
    'pages/train',
  ],
  // What is around the pages: header, menu, banners.
  ['frame'],
]

/** For each folder, the rule that its imports lead down. Also those by `import()`, which `no-restricted-imports` overlooks. */
const floorRules = FLOORS.flatMap((folders, floor) => {
  const below = FLOORS.slice(0, floor).flat()
  const isBelow = below.length === 0 ? '' : `(?!(${below.join('|')})/)`
  // The syntax of selectors has no way to write a slash within an expression.
  const pattern = `^(\\.\\./|@/${isBelow})`.replaceAll('/', '\\u002F')
  return folders.map((folder) => ({
    files: [`src/${folder}/**/*.{ts,vue}`],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: `:matches(ImportDeclaration, ExportNamedDeclaration, ExportAllDeclaration, ImportExpression) > Literal[value=/${pattern}/]`,
          message: `${folder} may import only from ${below.join(', ') || 'itself'}: see FLOORS in eslint.config.js.`,
        },
      ],
    },
  }))
})

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
  ...floorRules,
  { files: ['scripts/**'], rules: { 'no-console': 'off' } },
  prettier,
)

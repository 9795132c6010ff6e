/** What only the forms of job types that deploy changes need: loaded with the first of them. */
export { default as ChangeInput } from './ChangeInput.vue'
export { default as PreflightPanel } from '@/changes/PreflightPanel.vue'

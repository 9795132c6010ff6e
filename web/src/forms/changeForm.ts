/** The parts that only job types with changes need. They are loaded with the first of these forms. */
export { default as ChangeInput } from './ChangeInput.vue'
export { default as PreflightPanel } from '@/changes/PreflightPanel.vue'

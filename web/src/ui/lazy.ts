import { CdxMessage } from '@wikimedia/codex'
import { defineAsyncComponent, h, type Component, type FunctionalComponent } from 'vue'

const NotLoaded: FunctionalComponent = () =>
  h(CdxMessage, { type: 'error' }, () => 'This part of the page could not be loaded. Reload the page.')
NotLoaded.inheritAttrs = false

/**
 * A component that is loaded when it is first shown, as few pages need it.
 *
 * If it cannot be loaded, another one replaces it. After an upgrade of SpiderPig the whole page says so: Vite tells
 * `state/upgrade.ts`.
 */
export function lazy<Wanted extends Component>(load: () => Promise<Wanted>, instead: Component = NotLoaded): Wanted {
  return defineAsyncComponent({ loader: () => load().catch(() => instead as Wanted), suspensible: false }) as Wanted
}

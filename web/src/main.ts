import '@wikimedia/codex-design-tokens/theme-wikimedia-ui.css'
import './codexStyles.ts'
import './main.less'

import { createApp } from 'vue'

import App from './App.vue'
import { makeRouter } from './router.ts'
import { guardRoutes } from './pages/signin/routeGuard.ts'
import { Live, provideLive } from './state/live.ts'
import { provideSession, Session } from './state/session.ts'
import { applyTheme } from './state/theme.ts'

applyTheme()

const app = createApp(App)
const live = new Live()
const session = new Session()
provideLive(app, live)
provideSession(app, session)
const router = makeRouter()
guardRoutes(router, session)
app.use(router)
void session.refresh()
app.mount('#app')

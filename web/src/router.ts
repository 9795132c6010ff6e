import { createRouter, createWebHistory, type RouteComponent, type Router } from 'vue-router'

import NotFoundPage from '@/frame/NotFoundPage.vue'
import NotLoadedPage from '@/frame/NotLoadedPage.vue'
import OverviewPage from '@/pages/overview/OverviewPage.vue'

/** A page whose code is loaded when somebody opens it. All pages but the first are, so that the first is fast. */
function lazy(load: () => Promise<{ default: RouteComponent }>): () => Promise<RouteComponent> {
  return async () => {
    try {
      return (await load()).default
    } catch {
      return NotLoadedPage
    }
  }
}

/** The pages. The API knows these paths too (`src/api/table.rs`) and answers each with this program. */
export function makeRouter(): Router {
  return createRouter({
    history: createWebHistory(),
    routes: [
      { path: '/', name: 'overview', component: OverviewPage },
      { path: '/start/:type', name: 'start', component: OverviewPage, props: true },
      // The address of the form in the first SpiderPig: documents still link to it.
      { path: '/mediawiki/backport', redirect: '/start/backport' },
      { path: '/mediawiki/train', name: 'train', component: lazy(() => import('@/pages/train/TrainPage.vue')) },
      { path: '/mediawiki/logs', name: 'errors', component: lazy(() => import('@/pages/monitoring/ErrorsPage.vue')) },
      {
        path: '/jobs/:id([1-9]\\d{0,8})',
        name: 'job',
        component: lazy(() => import('@/pages/job/JobPage.vue')),
        props: (route) => ({ id: Number(route.params.id) }),
      },
      { path: '/runner', name: 'runner', component: lazy(() => import('@/pages/runner/RunnerPage.vue')) },
      { path: '/login', name: 'login', component: lazy(() => import('@/pages/signin/LoginPage.vue')) },
      {
        path: '/second-factor',
        name: 'second-factor',
        component: lazy(() => import('@/pages/signin/SecondFactorPage.vue')),
      },
      { path: '/enrol', name: 'enrol', component: lazy(() => import('@/pages/signin/EnrolPage.vue')) },
      { path: '/logout', name: 'logout', component: lazy(() => import('@/pages/signin/LogoutPage.vue')) },
      {
        path: '/notauthorized',
        name: 'not-authorized',
        component: lazy(() => import('@/pages/signin/NotAuthorizedPage.vue')),
      },
      { path: '/account', name: 'account', component: lazy(() => import('@/pages/account/AccountPage.vue')) },
      { path: '/admin', name: 'admin', component: lazy(() => import('@/pages/admin/AdminPage.vue')) },
      { path: '/:path(.*)*', name: 'not-found', component: NotFoundPage },
    ],
    scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : { top: 0 }),
  })
}

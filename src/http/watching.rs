//! What of a request is measured, where somebody wants to know.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::{HttpMessage, HttpRequest};

use crate::app::App;
use crate::counts::Requests;

/// What a request is counted under that reached no route, or of which that is not known: it was given up, or its handler
/// panicked.
pub(super) const NO_ROUTE: &str = "none";

/// What routes are counted under that are not the service's.
pub(super) const OWN_ROUTE: &str = "own";

/// Under which number the requests of a resource are counted: that of its place on the surface, after the two above.
#[derive(Clone, Copy)]
pub(super) struct Counted(usize);

impl Counted {
    pub fn at(place: usize) -> Counted {
        Counted(place + 2)
    }
}

/// Notes that a request's path is none.
pub(super) struct Nowhere;

/// Where there is something to count or to trace. A worker's own, so that no two cores share what counts its users.
#[derive(Clone)]
pub(super) struct Watching(Rc<Watched>);

struct Watched {
    app: Arc<App>,
}

impl Watching {
    /// `None` where nobody wants to know.
    pub fn of(app: &Arc<App>) -> Option<Watching> {
        app.counts.hot.is_some().then(|| Watching(Rc::new(Watched { app: app.clone() })))
    }

    fn requests(&self) -> Option<&Requests> {
        self.0.app.counts.hot.as_ref().map(|hot| &hot.requests)
    }

    pub fn began(&self) {
        self.requests().inspect(|requests| requests.began());
    }

    pub fn ended(&self, request: Option<&HttpRequest>, method: &Method, status: u16, took: Duration) {
        if let Some(requests) = self.requests() {
            let route = request.map_or(0, route_number);
            requests.ended(route, method.as_str(), status, took);
        }
    }
}

fn route_number(request: &HttpRequest) -> usize {
    match request.app_data::<Counted>() {
        Some(Counted(number)) => *number,
        // A question of a browser that no route sees.
        None if request.method() == Method::OPTIONS => 0,
        None => usize::from(!request.extensions().contains::<Nowhere>()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{endpoints, tutorial_endpoints};
    use super::*;

    #[test]
    fn there_is_room_for_each_route() {
        let Counted(next) = Counted::at(endpoints().len() + tutorial_endpoints().len());
        assert!(next <= crate::counts::ROUTES, "{next} routes");
    }
}

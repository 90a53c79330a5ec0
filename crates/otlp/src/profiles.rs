//! Profiles on their way to a collector: written in the thread that has them, so that none is kept twice.

use std::sync::Arc;

use chandra_profile::profile::Profile;

use crate::batch::Packing;
use crate::resource::Resource;
use crate::wire::profiles;

/// The way of profiles. A clone is the same way.
#[derive(Debug, Clone)]
pub struct Profiles(Arc<Way>);

#[derive(Debug)]
struct Way {
    packing: Packing,
    resource: Resource,
}

impl Profiles {
    pub(crate) fn new(packing: Packing, resource: Resource) -> Self {
        Self(Arc::new(Way { packing, resource }))
    }

    /// Hands a profile over: one for each container that samples are of, and one for what is in none. Never waits
    /// for the collector.
    pub fn push(&self, profile: &Profile) {
        let Way { packing, resource } = &*self.0;
        profiles::write(profile, resource, &mut |request, count| {
            packing.queue.made(count);
            packing.send(request, count);
        });
    }
}

//! The files of the chart, as they are in `deploy/chart`. A test looks that none is forgotten.

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        /// Each file by its path in the chart, in the order in which manifests are printed.
        pub const FILES: &[(&str, &str)] =
            &[$(($path, include_str!(concat!("../../../deploy/chart/", $path)))),*];
    };
}

files![
    "templates/namespace.yaml",
    "templates/rbac.yaml",
    "templates/configmaps.yaml",
    "templates/dashboards.yaml",
    "templates/networkpolicy.yaml",
    "templates/services.yaml",
    "templates/daemonset.yaml",
    "templates/monitoring.yaml",
    "templates/NOTES.txt",
    "Chart.yaml",
    "values.yaml",
    "values.schema.json",
    "files/alerts.yaml",
    "files/dashboards/agents.json",
    "files/dashboards/network.json",
    "files/dashboards/nodes.json",
    "files/dashboards/tcp.json",
];

/// The text of a file.
pub fn text(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}

//! A frame: one function of a stack, and how it is named when its name is not known.

use std::fmt::Write as _;

use crate::text::{TextId, Texts};

/// What kind of code a frame is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Kind {
    /// Compiled ahead of time.
    #[default]
    Native,
    /// Compiled into the frame before it (towards the root): it has no frame of its own in memory.
    Inlined,
    /// The kernel's.
    Kernel,
    /// Run by an interpreter.
    Interpreted,
    /// Compiled at run time.
    Jit,
    /// No code: says in brackets what is not known, `[truncated]`, `[stack ends: no unwind table]`.
    Marker,
    /// No code: whose stacks these are (a process, a thread, a pod).
    Owner,
}

impl Kind {
    /// All of them, in the order of their numbers in files.
    pub const ALL: [Self; 7] = [
        Self::Native,
        Self::Inlined,
        Self::Kernel,
        Self::Interpreted,
        Self::Jit,
        Self::Marker,
        Self::Owner,
    ];

    /// Its name: `native`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Inlined => "inlined",
            Self::Kernel => "kernel",
            Self::Interpreted => "interpreted",
            Self::Jit => "jit",
            Self::Marker => "marker",
            Self::Owner => "owner",
        }
    }

    /// What a frame of a foreign file is, as far as names tell: pprof has no field for it.
    pub fn guess(function: &str, module: &str, file: &str) -> Self {
        const SCRIPTS: [&str; 8] = [".py", ".rb", ".php", ".pl", ".lua", ".js", ".ts", ".ex"];
        let module_name = module.rsplit('/').next().unwrap_or_default();
        const NO_MODULES: [&str; 6] =
            ["[vdso]", "[vsyscall]", "[jit]", "[anon]", "[heap]", "[unknown]"];
        let is_kernel_module = module.starts_with('[') && module.ends_with(']');
        if module.starts_with("[kernel")
            || is_kernel_module && !NO_MODULES.contains(&module)
            || module.starts_with("[guest.kernel")
            || module == "vmlinux"
        {
            Self::Kernel
        } else if module.is_empty() && function.starts_with('[') && function.ends_with(']') {
            Self::Marker
        } else if module == "[jit]"
            || module_name.starts_with("jitted-")
            || module_name.starts_with("perf-") && module_name.ends_with(".map")
        {
            Self::Jit
        } else if SCRIPTS.iter().any(|end| file.ends_with(end)) {
            Self::Interpreted
        } else {
            Self::Native
        }
    }
}

/// A frame of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FrameId(pub(crate) u32);

/// One function of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Frame {
    /// Its name, demangled; empty if it is not known.
    pub function: TextId,
    /// The executable or library, `[kernel]` or a kernel module; empty if it is not known.
    pub module: TextId,
    /// Which build of the module it is: the linker's build id, GNU's in hexadecimal digits; empty if it is not
    /// known.
    pub build_id: TextId,
    /// The source file; empty if it is not known.
    pub file: TextId,
    /// The line in it; 0 if it is not known.
    pub line: u32,
    /// What kind of code it is.
    pub kind: Kind,
    /// In the module, as its symbols count; 0 if it is not known.
    pub address: u64,
}

impl Frame {
    /// What it is called: the function, or `[unknown] libfoo.so+0x123`. A frame is never without a name.
    pub fn name(&self, texts: &Texts) -> String {
        let function = texts.get(self.function);
        if !function.is_empty() {
            return function.to_owned();
        }
        let mut name = "[unknown]".to_owned();
        let module = texts.get(self.module).rsplit('/').next().unwrap_or_default();
        if !module.is_empty() {
            name.push(' ');
            name.push_str(module);
        }
        if self.address != 0 {
            let _ =
                write!(name, "{}0x{:x}", if module.is_empty() { " " } else { "+" }, self.address);
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::{Frame, Kind};
    use crate::text::{TextId, Texts};

    #[test]
    fn a_frame_without_a_function_is_named_by_its_place() {
        let mut texts = Texts::default();
        let module = texts.intern("/usr/lib/libfoo.so", 100).unwrap();
        let frame = Frame { module, address: 0x123, ..Frame::default() };
        assert_eq!(frame.name(&texts), "[unknown] libfoo.so+0x123");
        let nowhere = Frame { address: 0x123, ..Frame::default() };
        assert_eq!(nowhere.name(&texts), "[unknown] 0x123");
        let function = texts.intern("main", 100).unwrap();
        assert_eq!(Frame { function, ..frame }.name(&texts), "main");
        assert_eq!(Frame { module: TextId::EMPTY, ..Frame::default() }.name(&texts), "[unknown]");
    }

    #[test]
    fn names_of_foreign_files_tell_kinds() {
        assert_eq!(Kind::guess("do_syscall_64", "[kernel.kallsyms]", ""), Kind::Kernel);
        assert_eq!(Kind::guess("veth_xmit", "[veth]", ""), Kind::Kernel);
        assert_eq!(Kind::guess("clock_gettime", "[vdso]", ""), Kind::Native);
        assert_eq!(Kind::guess("[truncated]", "", ""), Kind::Marker);
        assert_eq!(Kind::guess("Main.run", "/tmp/perf-7.map", ""), Kind::Jit);
        assert_eq!(Kind::guess("handle", "", "app/views.py"), Kind::Interpreted);
        assert_eq!(Kind::guess("main", "/usr/bin/app", "main.c"), Kind::Native);
    }
}

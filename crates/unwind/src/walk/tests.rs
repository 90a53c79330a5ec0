use std::collections::HashMap;

use super::*;
use crate::format::{Assembler, Table};

const START: u64 = 0x5555_0000_0000;
const OFFSET: u64 = 0x1000;
const STACK: u64 = 0x7ffc_0000_0000;

const CALLED: Rule =
    Rule::Offset { base: Base::Sp, cfa: 8, fp: None, ra: ReturnAddress::AtCfa(-8) };
const SAVED_FP: Rule =
    Rule::Offset { base: Base::Sp, cfa: 16, fp: Some(-16), ra: ReturnAddress::AtCfa(-8) };

/// One executable, whose rules begin 0x100 apart, and a stack.
struct World {
    table: Table,
    stack: HashMap<u64, u64>,
    walk: Walk,
}

impl World {
    fn new(rules: &[Rule]) -> Self {
        let mut assembler = Assembler::new(100);
        for (number, rule) in rules.iter().chain([&Rule::Gap]).enumerate() {
            assembler.push(OFFSET + number as u64 * 0x100, *rule).expect("room");
        }
        let walk = Walk { machine: Machine::X86_64, max_frames: 16, authentication_bits: 0 };
        Self { table: assembler.finish(), stack: HashMap::new(), walk }
    }

    /// Words of the stack, from its beginning.
    fn stack(mut self, words: &[u64]) -> Self {
        self.stack.extend((STACK..).step_by(8).zip(words.iter().copied()));
        self
    }

    fn run(&self, registers: Registers) -> (Vec<u64>, Walked) {
        let mut frames = Vec::new();
        let code = START..START + 0x10_0000;
        let find = |pc| {
            let mapping = Mapping { start: START, offset: OFFSET, table: Some(self.table.view()) };
            code.contains(&pc).then_some(mapping)
        };
        let read = |address| self.stack.get(&address).copied();
        let walked = self.walk.run(&registers, read, find, &mut frames);
        (frames.iter().map(|frame| frame.pc).collect(), walked)
    }

    fn ends(&self, registers: Registers) -> End {
        self.run(registers).1.end
    }
}

/// An address in the function of rule `number`.
fn at(number: u64) -> u64 {
    START + number * 0x100 + 0x10
}

fn registers(pc: u64) -> Registers {
    Registers { pc, sp: STACK, fp: STACK + 0x40, ..Registers::default() }
}

#[test]
fn a_return_address_is_looked_up_where_its_call_was() {
    // The call is the last instruction of function 0: its return address is where function 1 begins.
    let world = World::new(&[SAVED_FP, Rule::Unsupported, CALLED]);
    let world = world.stack(&[START + 0x100, 7, 0]);
    let (frames, walked) = world.run(registers(at(2)));
    assert_eq!(frames, [at(2), START + 0x100]);
    assert_eq!(walked, Walked { end: End::EndOfChain, frame_pointer_steps: 0 });
    // But an interrupted pc is where it is.
    assert_eq!(world.ends(registers(START + 0x100)), End::Unsupported);
}

#[test]
fn without_a_rule_frame_pointers_are_followed() {
    let world = World::new(&[]).stack(&[0, STACK + 24, at(1), STACK + 56, at(2), 0, 0, 0, at(3)]);
    let start = Registers { fp: STACK + 8, ..registers(at(0)) };
    let (frames, walked) = world.run(start);
    assert_eq!(frames, [at(0), at(1), at(2), at(3)]);
    assert_eq!(walked, Walked { end: End::EndOfChain, frame_pointer_steps: 3 });
}

#[test]
fn what_cannot_be_a_frame_pointer_is_not_followed() {
    let world = World::new(&[]).stack(&[STACK, at(1), 0, 0]);
    for fp in [STACK - 8, STACK + 4, STACK + MAX_FRAME_BYTES, 1] {
        assert_eq!(
            world.ends(Registers { fp, ..registers(at(0)) }),
            End::BadFramePointer,
            "{fp:#x}"
        );
    }
    // One that points to itself.
    let (frames, walked) = world.run(Registers { fp: STACK, ..registers(at(0)) });
    assert_eq!((frames.len(), walked.end), (2, End::BadFramePointer));
}

#[test]
fn a_saved_value_that_is_no_frame_pointer_harms_only_who_follows_it() {
    let world = World::new(&[CALLED, Rule::Stop]).stack(&[1, at(0), at(1)]);
    let (frames, walked) = world.run(Registers { fp: STACK, ..registers(at(9)) });
    assert_eq!(frames, [at(9), at(0), at(1)]);
    assert_eq!(walked.end, End::Outermost);
}

#[test]
fn a_plt_entry_has_pushed_its_number_half_way() {
    let world = World::new(&[Rule::Plt { cfa: 8, threshold: 11 }, Rule::Stop]);
    let world = world.stack(&[at(1), at(9)]);
    assert_eq!(world.run(registers(at(0) + 10)).0, [at(0) + 10, at(1)]);
    let world = world.stack(&[5, at(1)]);
    assert_eq!(world.run(registers(at(0) + 11)).0, [at(0) + 11, at(1)]);
}

#[test]
fn a_signal_frame_leads_to_the_registers_of_the_interruption() {
    let through_r10 =
        Rule::Offset { base: Base::R10, cfa: 0, fp: None, ra: ReturnAddress::AtCfa(-8) };
    let world = World::new(&[CALLED, Rule::Signal { registers: 40 }, through_r10, Rule::Stop]);
    let mut words = vec![0; 64];
    words[0] = at(1);
    let context = 1 + 5;
    words[context + 2] = STACK + 62 * 8; // r10
    words[context + 10] = 0x77; // rbp
    words[context + 15] = STACK + 60 * 8; // rsp
    // The first byte of its function: one earlier would be the trampoline's.
    words[context + 16] = START + 0x200;
    words[61] = at(3);
    let (frames, walked) = world.stack(&words).run(registers(at(0)));
    assert_eq!(frames, [at(0), at(1), START + 0x200, at(3)]);
    assert_eq!(walked.end, End::Outermost);
}

#[test]
fn other_registers_are_known_only_where_a_thread_was_interrupted() {
    let through_rax =
        Rule::Offset { base: Base::Rax, cfa: 8, fp: None, ra: ReturnAddress::AtCfa(-8) };
    let world = World::new(&[CALLED, through_rax, Rule::Stop]).stack(&[at(1), at(2)]);
    let mut start = registers(at(1));
    start.others[Base::Rax as usize] = STACK + 8;
    assert_eq!(world.ends(start), End::Outermost);
    start.pc = at(0);
    assert_eq!(world.ends(start), End::UnknownRegister);
}

#[test]
fn a_realigned_frame_is_left_through_what_it_saved() {
    let realigned = Rule::Realigned { cfa: -8, fp: 0 };
    let world = World::new(&[realigned, Rule::Gap]);
    // FP is at word 3; below it the CFA (word 8), at it the caller's FP (word 9).
    let cfa = STACK + 8 * 8;
    let world = world.stack(&[0, 0, cfa, STACK + 9 * 8, 0, 0, 0, at(1), 0, 0, at(2)]);
    let (frames, walked) = world.run(Registers { fp: STACK + 3 * 8, ..registers(at(0)) });
    assert_eq!(frames, [at(0), at(1), at(2)]);
    assert_eq!(walked.frame_pointer_steps, 1);
}

#[test]
fn a_cfa_on_the_stack_is_read_there() {
    let rule = Rule::Dereference { base: Base::Sp, cfa: 16, add: 8, fp: Some(-16) };
    let world = World::new(&[rule, Rule::Gap]);
    let world = world.stack(&[0, 0, STACK + 4 * 8, STACK + 6 * 8, at(1), 0, 0, at(2)]);
    assert_eq!(world.run(registers(at(0))).0, [at(0), at(1), at(2)]);
}

#[test]
fn where_the_stack_is_switched_frame_pointers_may_lead_down() {
    let world = World::new(&[Rule::StackSwitch, Rule::Stop]).stack(&[9, at(1)]);
    let start = Registers { sp: STACK + 0x800, fp: STACK, ..registers(at(0)) };
    assert_eq!(world.run(start).0, [at(0), at(1)]);
    assert_eq!(world.ends(Registers { fp: 0, ..start }), End::EndOfChain);
}

#[test]
fn each_walk_ends_for_a_reason() {
    let below = Rule::Offset { base: Base::Sp, cfa: 0, fp: None, ra: ReturnAddress::AtCfa(-8) };
    let world = World::new(&[CALLED, below, Rule::Stop, Rule::Unsupported]).stack(&[at(0), 0x1234]);
    assert_eq!(world.ends(registers(at(0))), End::ReturnNotCode);
    assert_eq!(world.ends(registers(0x1234)), End::NoMapping);
    assert_eq!(world.run(registers(0)).0, [0]);
    assert_eq!(world.ends(registers(at(1))), End::NotRising);
    assert_eq!(world.ends(registers(at(2))), End::Outermost);
    assert_eq!(world.ends(registers(at(3))), End::Unsupported);
    assert_eq!(world.ends(Registers { sp: STACK + 800, ..registers(at(0)) }), End::Unreadable);
}

#[test]
fn a_walk_is_as_deep_as_asked_for_and_says_so() {
    let mut world = World::new(&[CALLED, Rule::Stop]).stack(&[at(0); 600]);
    world.walk.max_frames = 512;
    let (frames, walked) = world.run(registers(at(0)));
    assert_eq!((frames.len(), walked.end), (512, End::Depth));
    // A stack that has exactly as many is whole.
    world.stack.insert(STACK + 8 * 510, at(1));
    let (frames, walked) = world.run(registers(at(0)));
    assert_eq!((frames.len(), walked.end), (512, End::Outermost));
}

#[test]
fn on_aarch64_a_leaf_returns_by_the_link_register_without_its_signature() {
    let leaf = Rule::Offset { base: Base::Sp, cfa: 0, fp: None, ra: ReturnAddress::LinkRegister };
    let pair =
        Rule::Offset { base: Base::Sp, cfa: 32, fp: Some(-32), ra: ReturnAddress::AtCfa(-24) };
    let mut world = World::new(&[leaf, pair, Rule::Stop]).stack(&[7, at(2) | 0x7f << 48]);
    world.walk.machine = Machine::Aarch64;
    world.walk.authentication_bits = 0x7f << 48;
    let start = Registers { lr: at(1) | 0x55 << 48, ..registers(at(0)) };
    assert_eq!(world.run(start).0, [at(0), at(1), at(2)]);
    // It is not known of callers.
    let world = world.stack(&[7, at(0)]);
    assert_eq!(world.ends(start), End::UnknownRegister);
}

#[test]
fn every_end_has_its_number() {
    for (number, end) in End::ALL.into_iter().enumerate() {
        assert_eq!(end as usize, number);
    }
}

//! Names of invented people and firms.

use super::dice::Dice;

const SURNAMES: &[char] = &[
    '王', '李', '张', '刘', '陈', '杨', '黄', '赵', '吴', '周', '徐', '孙', '马', '朱', '胡', '郭', '何', '林', '高', '罗', '郑', '梁',
    '谢', '宋', '唐', '许', '韩', '冯', '邓', '曹', '彭', '曾', '肖', '田', '董', '潘', '袁', '蔡', '蒋', '余',
];
const MALE: &[char] = &[
    '伟', '强', '军', '杰', '涛', '明', '磊', '刚', '平', '辉', '鹏', '飞', '波', '斌', '宇', '浩', '凯', '健', '俊', '帆', '旭', '宁',
    '龙', '林', '建', '国', '志', '文', '华', '海', '永', '德',
];
const FEMALE: &[char] = &[
    '芳', '娜', '敏', '静', '丽', '艳', '娟', '霞', '秀', '英', '慧', '婷', '雪', '琳', '玲', '燕', '红', '梅', '莉', '兰', '洁', '倩',
    '颖', '琴', '云', '萍', '桂', '淑', '珍', '欣', '怡', '涵',
];
const FIRM_WORDS: &[&str] = &[
    "宏达", "瑞丰", "新源", "恒通", "华盛", "嘉禾", "永兴", "天和", "创远", "金桥", "海纳", "晨光", "同心", "安泰", "联众", "德信", "博雅",
    "万顺", "青藤", "云帆",
];

/// The name of one person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Name {
    /// Index of the surname.
    pub(super) surname: u8,
    given: [u8; 2],
    male: bool,
}

impl Name {
    /// A name of one or two given characters, with this surname or any.
    pub(super) fn draw(dice: &mut Dice, surname: Option<u8>, male: bool) -> Self {
        let any = dice.below(SURNAMES.len() as u32) as u8;
        let first = dice.below(MALE.len() as u32) as u8;
        let second = if dice.chance(7000) { dice.below(MALE.len() as u32) as u8 } else { u8::MAX };
        Self { surname: surname.unwrap_or(any), given: [first, second], male }
    }

    /// The name as text.
    pub(super) fn text(self) -> String {
        let list = if self.male { MALE } else { FEMALE };
        let mut text = String::with_capacity(9);
        text.push(SURNAMES[usize::from(self.surname)]);
        text.extend(self.given.iter().filter_map(|index| list.get(usize::from(*index))));
        text
    }
}

/// The word that a firm goes by.
pub(super) fn firm_word(dice: &mut Dice) -> &'static str {
    dice.pick(FIRM_WORDS)
}

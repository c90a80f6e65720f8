//! Names of people and enterprises that do not exist.

use crate::dice::Draw;

const SURNAMES: [&str; 24] = [
    "汪", "程", "胡", "吴", "方", "王", "江", "朱", "黄", "叶", "洪", "许", "李", "张", "余", "项",
    "徐", "鲍", "潘", "章", "孙", "谢", "郑", "曹",
];
const GIVEN: [&str; 32] = [
    "国华", "建国", "秀英", "桂兰", "志强", "玉珍", "德明", "春生", "美玲", "永福", "爱珍", "立新",
    "金凤", "文彬", "素梅", "长根", "月娥", "世荣", "来娣", "光明", "淑芳", "家驹", "水仙", "有才",
    "红", "军", "敏", "平", "兰", "勇", "霞", "伟",
];
const MIDDLE: [&str; 8] = ["", "", "", "", "大", "小", "正", "永"];
const PLACES: [&str; 10] = [
    "黄山", "新安", "徽州", "率水", "齐云", "黟山", "屯光", "阊江", "丰乐", "练江",
];
const BRANDS: [&str; 24] = [
    "松谷", "云海", "天都", "莲花", "祥源", "瑞丰", "同泰", "永兴", "宏达", "金叶", "绿源", "安达",
    "华晟", "新光", "恒源", "百川", "三江", "徽韵", "古道", "清溪", "翠微", "兴业", "德润", "嘉禾",
];
const TRADES: [&str; 16] = [
    "茶业",
    "旅游",
    "精密机械",
    "电子",
    "徽墨歙砚",
    "竹木制品",
    "食品",
    "酒店管理",
    "建筑安装",
    "汽车配件",
    "物流",
    "纺织",
    "化工",
    "农业开发",
    "文化传播",
    "商贸",
];

/// A person's name.
pub(crate) fn person(draw: Draw) -> String {
    let surname = SURNAMES[draw.place(SURNAMES.len())];
    let middle = MIDDLE[draw.next().place(MIDDLE.len())];
    let given = GIVEN[draw.next().next().place(GIVEN.len())];
    // A middle character goes with a given name of one character alone.
    if given.chars().count() == 1 {
        format!("{surname}{middle}{given}")
    } else {
        format!("{surname}{given}")
    }
}

/// An enterprise's name.
pub(crate) fn enterprise(draw: Draw) -> String {
    let place = PLACES[draw.place(PLACES.len())];
    let brand = BRANDS[draw.next().place(BRANDS.len())];
    let trade = TRADES[draw.next().next().place(TRADES.len())];
    format!("{place}{brand}{trade}有限公司")
}

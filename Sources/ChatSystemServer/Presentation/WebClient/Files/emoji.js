// Emoji by name: for `:name:` and the picker. Each is its sign, then its names, English first.

const GROUPS = [
  ['😀', `😀 grinning 웃음|😃 smiley|😄 smile 미소|😁 grin|😆 laughing|😅 sweat_smile|🤣 rofl|😂 joy 눈물웃음|🙂 slight_smile|🙃 upside_down
😉 wink 윙크|😊 blush|😇 innocent 천사|🥰 loving|😍 heart_eyes 하트눈|🤩 star_struck|😘 kiss 키스|😋 yum 맛있|😛 tongue|😜 crazy
🤪 zany|🤗 hug 포옹|🤭 giggle|🤫 shush 쉿|🤔 thinking 생각|🤐 zipper|🤨 eyebrow|😐 neutral|😑 expressionless|😶 speechless
😏 smirk|😒 unamused|🙄 eye_roll|😬 grimace|😌 relieved|😔 pensive|😪 sleepy|🤤 drool|😴 sleeping 잠|😷 mask 마스크|🤒 thermometer
🤕 bandage|🤢 nausea|🤮 vomit|🤧 sneeze|🥵 hot 더워|🥶 cold 추워|😵 dizzy|🤯 mind_blown|🤠 cowboy|🥳 party 파티|😎 cool sunglasses 멋짐
🤓 nerd|🧐 monocle|😕 confused|😟 worried 걱정|🙁 frown|😮 wow 놀람|😲 astonished|😳 flushed|🥺 pleading 부탁|😦 open_frown
😨 fearful|😰 anxious|😥 sad_relieved|😢 cry 울음|😭 sob 엉엉|😱 scream 비명|😖 confounded|😞 disappointed|😓 sweat 땀|😩 weary
😫 tired 피곤|🥱 yawn 하품|😤 triumph|😡 rage 화남|😠 angry|🤬 swearing|😈 devil 악마|💀 skull 해골|💩 poop 똥|🤡 clown|👻 ghost 유령
👽 alien|🤖 robot 로봇|😺 cat_smile|🙈 see_no_evil|🙉 hear_no_evil|🙊 speak_no_evil`],
  ['👍', `👍 thumbs_up +1 좋아요|👎 thumbs_down -1 싫어요|👌 ok 오케이|✌️ victory 브이|🤞 fingers_crossed|🤟 love_you|🤘 rock|🤙 call_me
👈 point_left|👉 point_right|👆 point_up|👇 point_down|☝️ index_up|✋ hand|🖐️ spread|👋 wave 안녕|👏 clap 박수|🙌 raised_hands 만세|👐 open_hands
🤝 handshake 악수|🙏 pray thanks 감사|✍️ writing|💪 muscle 힘|👀 eyes 눈|👁️ eye|🧠 brain|👄 mouth|👶 baby 아기|🧒 child|👦 boy|👧 girl|🧑 person
👨 man|👩 woman|🧓 older|👴 grandfather|👵 grandmother|🙋 raising_hand 저요|🙅 no_good|🙆 ok_gesture|🙇 bow 인사|🤷 shrug 몰라|🤦 facepalm
🚶 walking|🏃 running 달리기|💃 dance 춤|🕺 man_dance|👪 family 가족|👫 couple|🫡 salute|🫶 heart_hands`],
  ['❤️', `❤️ heart 하트 사랑|🧡 orange_heart|💛 yellow_heart|💚 green_heart|💙 blue_heart|💜 purple_heart|🖤 black_heart|🤍 white_heart|💔 broken_heart
💕 hearts|💖 sparkling_heart|💘 cupid|💯 100 백점|💢 anger|💥 boom|💫 dizzy_star|💦 sweat_drops|💨 dash|💤 zzz|💬 speech 말|💭 thought
✨ sparkles 반짝|⭐ star 별|🌟 glowing_star|🔥 fire 불|🎉 tada 축하|🎊 confetti|🎈 balloon 풍선|🎁 gift 선물|🎂 cake 케이크 생일|🏆 trophy|🥇 gold_medal`],
  ['🐶', `🐶 dog 강아지|🐱 cat 고양이|🐭 mouse|🐹 hamster|🐰 rabbit 토끼|🦊 fox 여우|🐻 bear 곰|🐼 panda|🐨 koala|🐯 tiger 호랑이|🦁 lion
🐮 cow|🐷 pig 돼지|🐸 frog|🐵 monkey|🐔 chicken|🐧 penguin|🐦 bird 새|🦆 duck|🦉 owl|🐺 wolf|🐴 horse|🦄 unicorn|🐝 bee|🐛 bug 벌레|🦋 butterfly
🐌 snail|🐢 turtle|🐍 snake|🐙 octopus|🐬 dolphin|🐳 whale|🐟 fish|🌸 blossom 벚꽃|🌹 rose 장미|🌻 sunflower|🌷 tulip|🌱 seedling|🌲 tree 나무
🍀 clover|🍁 maple|🌍 earth 지구|🌙 moon 달|☀️ sun 해|⛅ cloudy|🌧️ rain 비|⛈️ storm|❄️ snow 눈송이|⛄ snowman|🌈 rainbow 무지개|🌊 ocean 바다`],
  ['🍎', `🍎 apple 사과|🍊 orange|🍋 lemon|🍌 banana|🍉 watermelon 수박|🍇 grapes|🍓 strawberry 딸기|🍑 peach|🥑 avocado|🍅 tomato|🥕 carrot|🌽 corn
🍞 bread 빵|🧀 cheese|🥚 egg|🥓 bacon|🍔 burger|🍟 fries|🍕 pizza 피자|🌭 hotdog|🌮 taco|🥗 salad|🍝 spaghetti|🍜 ramen 라면|🍲 stew 찌개|🍣 sushi
🍱 bento 도시락|🍚 rice 밥|🥟 dumpling 만두|🍦 ice_cream|🍩 doughnut|🍪 cookie|🍫 chocolate|🍿 popcorn|☕ coffee 커피|🍵 tea 차|🍺 beer 맥주|🍻 cheers 건배
🍷 wine|🥂 toast|🍾 champagne`],
  ['⚽', `⚽ soccer 축구|🏀 basketball|🏈 football|⚾ baseball 야구|🎾 tennis|🏐 volleyball|🎱 billiards|🏓 ping_pong|⛳ golf|🎣 fishing|🚴 cycling|🏊 swimming
🎮 game 게임|🎲 dice|🧩 puzzle|🎯 target|🎨 art|🎵 music 음악|🎤 karaoke|🎧 headphones|🎸 guitar|🎬 movie 영화|📷 camera 사진|🚗 car 자동차|🚕 taxi
🚌 bus 버스|🚑 ambulance|🚒 fire_engine|🚲 bicycle 자전거|🚆 train 기차|✈️ airplane 비행기|🚀 rocket 로켓|🚢 ship|🏠 house 집|🏢 office 회사|🏥 hospital|🏫 school 학교
🏖️ beach|⛰️ mountain 산|🗺️ map`],
  ['💡', `💡 bulb idea 아이디어|💻 laptop 노트북|🖥️ desktop|📱 phone 전화|⌨️ keyboard|🔋 battery|🔌 plug|💾 floppy|📧 email 메일|📦 package 택배|📎 paperclip|📌 pin
📝 memo 메모|📅 calendar 달력|📈 chart_up|📉 chart_down|📊 bar_chart|📚 books 책|🔍 search 검색|🔒 lock|🔓 unlock|🔑 key 열쇠|🔨 hammer|🔧 wrench|⚙️ gear 설정
🧪 test_tube|💊 pill|🩹 plaster|🛒 cart|💰 money 돈|💳 credit_card|💎 gem|⏰ alarm 알람|⌛ hourglass|🔔 bell|📢 loudspeaker|🚧 construction|🚨 siren`],
  ['✅', `✅ check 확인|☑️ ballot|✔️ tick|❌ x 엑스|❓ question 물음표|❗ exclamation|⚠️ warning 주의|⛔ no_entry|🚫 prohibited|♻️ recycle|🆗 ok_button|🆕 new
🔴 red_circle|🟠 orange_circle|🟡 yellow_circle|🟢 green_circle|🔵 blue_circle|⚫ black_circle|⚪ white_circle|➕ plus|➖ minus|➡️ right|⬅️ left|⬆️ up|⬇️ down
🔁 repeat|🏁 finish|🚩 flag 깃발|🇰🇷 korea 한국|🇺🇸 usa|🇬🇧 uk|🇯🇵 japan|🇩🇪 germany|🇫🇷 france|🇪🇺 eu`],
]

const parse = text => text.split(/[|\n]/u).map(entry => {
  const [sign, ...names] = entry.trim().split(' ')
  return { sign, names }
})

/** `{sign, entries: [{sign, names}]}`, as the picker shows them. */
export const emojiGroups = GROUPS.map(([sign, text]) => ({ sign, entries: parse(text) }))

const all = emojiGroups.flatMap(group => group.entries)
const byName = new Map(all.flatMap(({ sign, names }) => names.map(name => [name, sign])))
/** How they are called elsewhere, too. */
for (const [name, other] of [['thumbsup', '+1'], ['thumbsdown', '-1'], ['smiling', 'smile'], ['lol', 'joy'], ['love', 'heart']]) {
  byName.set(name, byName.get(other))
}

/** The sign of a full name. */
export const emojiNamed = name => byName.get(name)

/** Those with a name that begins so, then those that have it within: `{sign, names}`. */
export function findEmoji(query, most = 8) {
  const wanted = query.toLowerCase().replaceAll(/[\s-]+/gu, '_')
  const starts = all.filter(({ names }) => names.some(name => name.startsWith(wanted)))
  if (starts.length >= most) return starts.slice(0, most)
  const within = all.filter(entry => !starts.includes(entry) && entry.names.some(name => name.includes(wanted)))
  return [...starts, ...within].slice(0, most)
}

"""Where a walker's state lies in its two rows of numbers, and Box2D's constants in single precision.

A walker is a row of ``FLOATS`` float32 and one of ``INTS`` int32. Bodies are hull 0, thighs 1 and 3, shanks 2 and 4; joints are
hips 0 and 2, knees 1 and 3. What Box2D keeps in linked lists, newest first, is here an array of contacts, oldest first.
"""

from __future__ import annotations

from typing import Final

import numpy as np

FALLEN, OVER, FINISHED, LOST = 1, 2, 4, 8  # how a step ends a life: by falling or going back, at all, past the line, no room
HULL, THIGH, SHANK, FAR_THIGH, FAR_SHANK = range(5)
BODIES: Final = 5
JOINTS: Final = 4
JOINED: Final = ((0, 1), (1, 2), (0, 3), (3, 4))  # bodies A and B of each joint

# Of each body: centre of mass and angle, the same where the step began, velocities, sine and cosine, origin, seconds of rest,
# padded bounding box, and how far into the step it has come.
X, Y, A, X0, Y0, A0, VX, VY, W, SIN, COS, PX, PY, REST, LOW_X, LOW_Y, HIGH_X, HIGH_Y, ALPHA = range(19)
BODY: Final = 19
# Of each joint: impulses of the point and of the limit, of the motor; and what the motor is asked for.
JOINT_AT: Final = BODIES * BODY
IMPULSE_X, IMPULSE_Y, IMPULSE_Z, MOTOR, SPEED, TORQUE = range(6)
JOINT: Final = 6
PUSH: Final = JOINT_AT + JOINTS * JOINT  # N on the hull, in the first step
STARTED: Final = PUSH + 1  # dtRatio of Box2D: 0 in the first step
CONTACT_AT: Final = STARTED + 1
# Of each contact: normal and point of the manifold, two points with their normal and tangential impulses.
NORMAL_X, NORMAL_Y, POINT_X, POINT_Y = range(4)
P_X, P_Y, P_NORMAL, P_TANGENT = range(4)
POINTS_AT: Final = 4
POINT: Final = 4
CONTACT: Final = 12

COUNT, FLAGS, COURSE = range(3)
LIMIT_AT: Final = 3
ICONTACT_AT: Final = 7
FIXTURE, BODY_OF, STATE, ID = range(4)  # and a second id
ICONTACT: Final = 5

FEET: Final = 3  # of FLAGS: which shank touches, 1 and 2
FELL: Final = 4
CROWDED: Final = 8  # more contacts than there is room for: the walker's numbers are void
TOUCHING: Final = 1  # of STATE; bit 1: the manifold is of the body's face; from bit 2: its points
FACE_B: Final = 2

CONTACTS: Final = (
    48  # room for; 29 is the most that walks needed on the roughest courses, 40 where pushes of 3 kN threw them about
)
FLOATS: Final = CONTACT_AT + CONTACTS * CONTACT
INTS: Final = ICONTACT_AT + CONTACTS * ICONTACT

# A convex polygon: up to five vertices and normals, centroid, number of vertices. A box of the ground adds its padded
# bounding box; a body the centre, inverse mass and inertia, and friction against the ground.
NORMALS, CENTROID, CORNERS, BOX = 10, 20, 22, 23
CENTRE, INV_MASS, INV_INERTIA, FRICTION = 23, 25, 26, 27
POLYGON: Final = 28
LINE: Final = 4  # of each vertex of the ground's line: its place, and the normal of the edge that begins there
BIN: Final = 4  # first and last edge, first and last box of each stretch of ground
BINS: Final = 208
VERTICES: Final = 200  # of the ground's line

F = np.float32
ZERO, HALF, ONE, TWO = F(0.0), F(0.5), F(1.0), F(2.0)
EPSILON: Final = np.finfo(np.float32).eps
PI: Final = F(3.14159265359)
DT: Final = F(1.0 / 50.0)
INV_DT: Final = ONE / DT
DT_RATIO: Final = INV_DT * DT
GRAVITY: Final = F(-10.0)
SLOP: Final = F(0.005)
ANGULAR_SLOP: Final = TWO / F(180.0) * PI
RADIUS: Final = TWO * SLOP  # of a polygon's skin
SKINS: Final = RADIUS + RADIUS
PADDING: Final = F(0.1)
MAX_CORRECTION: Final = F(0.2)
MAX_ANGULAR_CORRECTION: Final = F(8.0) / F(180.0) * PI
MAX_TRANSLATION: Final = F(2.0)
MAX_ROTATION: Final = HALF * PI
BAUMGARTE: Final = F(0.2)
TOI_BAUMGARTE: Final = F(0.75)
TIME_TO_SLEEP: Final = F(0.5)
SLEEP_LINEAR: Final = F(0.01) * F(0.01)
SLEEP_ANGULAR: Final = ANGULAR_SLOP * ANGULAR_SLOP
VELOCITY_ITERATIONS: Final = 180
POSITION_ITERATIONS: Final = 60
TOI_ITERATIONS: Final = 20

LOWER: Final = (F(-0.8), F(-1.6), F(-0.8), F(-1.6))  # rad, of each joint
UPPER: Final = (F(1.1), F(-0.1), F(1.1), F(-0.1))
